"""The tabs of the page, and the views that they share."""
