"""SSGAN: images from noise that are covers for hidden messages, for research in steganalysis."""
