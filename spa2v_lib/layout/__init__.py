"""Layout: the Video Scene Layout, its boxes and camera, and what is known of sounding objects."""

from spa2v_lib.layout.box import Box
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.scene_layout import VERSION, SceneObject, VideoSceneLayout

__all__ = ["VERSION", "Box", "Camera", "SceneObject", "VideoSceneLayout"]
