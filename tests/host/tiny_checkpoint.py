"""Run by a Python that has ComfyUI's requirements: write a small checkpoint of random weights.

    python tiny_checkpoint.py CHECKOUT FILE

ComfyUI takes it for Stable Diffusion 1.5, which it tells by the UNet's 320 channels and its 768
numbers a word; how many levels there are is free, so one is enough. The VAE is a TAESD. The text
encoder has only one size: all its weights are one number, which the file holds once.
"""

from __future__ import annotations

import sys


def small_checkpoint():
    import comfy.ops
    import torch
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
    from comfy.sd1_clip import SD1ClipModel
    from comfy.taesd.taesd import TAESD

    torch.manual_seed(0)
    unet = UNetModel(
        image_size=32,
        in_channels=4,
        model_channels=320,
        out_channels=4,
        num_res_blocks=[1],
        channel_mult=[1],
        transformer_depth=[1],
        transformer_depth_output=[1, 1],
        transformer_depth_middle=-2,
        context_dim=768,
        num_heads=8,
        use_spatial_transformer=True,
        legacy=False,
        dtype=torch.float32,
        operations=comfy.ops.manual_cast,
    )
    vae = TAESD()
    # ComfyUI makes layers without numbers, because a file brings them.
    for network, spread in ((unet, 0.02), (vae, 0.1)):
        for name, weights in network.named_parameters():
            if name not in ("vae_scale", "vae_shift"):
                torch.nn.init.normal_(weights, std=spread)
    words = SD1ClipModel(device="meta", dtype=torch.float16).clip_l.transformer.state_dict()
    one = torch.full((), 0.02, dtype=torch.float16)
    parts = {
        "model.diffusion_model.": {key: value.half() for key, value in unet.state_dict().items()},
        "first_stage_model.": vae.state_dict(),
        "cond_stage_model.transformer.": {
            key: one.expand(value.shape) for key, value in words.items()
        },
    }
    return {prefix + key: value for prefix, part in parts.items() for key, value in part.items()}


if __name__ == "__main__":
    checkout, path = sys.argv[1:]
    sys.argv[1:] = ["--cpu"]
    sys.path.insert(0, checkout)
    import comfy.options

    comfy.options.enable_args_parsing()
    import torch

    torch.save({"state_dict": small_checkpoint()}, path)
