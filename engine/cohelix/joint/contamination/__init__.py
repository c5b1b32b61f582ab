"""How much of another person is in a sample's reads."""
