"""From what an operator wishes to what a method takes."""
