"""Parts that the studio and the server share: hosted models, the options of one image, and access control."""
