"""A made cohort against what is published of real people: one table, and a picture of each statistic."""
