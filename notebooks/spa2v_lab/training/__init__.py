"""How the shipped tiny suite was made: drawn data, three separate trainings, a detector.

Nothing here is needed to use the suite; `spa2v_lib.sampling` loads it in diffusers' own formats.
"""
