"""Apply a predictor to whole folders: jobs, their masks, a journal of what is done, and outcomes."""
