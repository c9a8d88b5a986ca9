"""FSGAN's generator, which its reenactor, its inpainter and its blender are each one of."""
