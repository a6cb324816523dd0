"""Apply a predictor to whole folders: jobs, masks, a journal to resume from, and outcomes."""
