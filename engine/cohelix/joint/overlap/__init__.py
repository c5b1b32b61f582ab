"""What one sample's own records state together, where they lie over one another."""
