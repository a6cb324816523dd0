"""The commands that hide messages in images and reveal them."""
