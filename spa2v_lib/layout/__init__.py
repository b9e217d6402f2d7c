"""Video Scene Layouts, boxes, the camera, captions, and what is known of the classes of objects."""

from spa2v_lib.layout.box import Box
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.lvd import from_lvd, to_lvd
from spa2v_lib.layout.scene_layout import VERSION, SceneObject, VideoSceneLayout

__all__ = [
    "VERSION",
    "Box",
    "Camera",
    "SceneObject",
    "VideoSceneLayout",
    "from_lvd",
    "to_lvd",
]
