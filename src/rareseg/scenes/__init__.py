"""Generated aerial-like photos with known classes: for demonstrations and tests, not for results.

noise.py     smooth randomness
ground.py    fields, gardens, woods, water
roads.py     where roads run
paving.py    road surfaces, markings, cars
objects.py   houses, yards, drives, trees
light.py     shade, haze, blur, sensor noise
photos.py    road scenes        land.py   three-class scenes
write.py     sets of scenes on disk
"""

from rareseg.scenes.land import land_scene
from rareseg.scenes.photos import road_scene
from rareseg.scenes.scene import Scene
from rareseg.scenes.write import write_land, write_photo, write_roads

__all__ = ["Scene", "land_scene", "road_scene", "write_land", "write_photo", "write_roads"]
