"""What is counted of rows, samples and regions."""
