"""What a recipe is made of: which data, which trainer, what is shown and how it is scored."""
