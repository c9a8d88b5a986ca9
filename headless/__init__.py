"""Run workflows without ComfyUI: the `faceloom` command."""
