"""From data sets to samples: sources (one data set a file), what is surely absent, and views that keep truth."""
