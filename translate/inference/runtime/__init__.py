"""Inference runtime: device, mixed precision, engines and memory limits, and export to other formats."""
