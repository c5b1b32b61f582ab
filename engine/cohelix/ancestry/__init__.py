"""Where ancestry lies: principal components, projection, groups, distances and proportions."""
