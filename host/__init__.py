"""The only door to ComfyUI, with a stand-alone side for running without it."""
