"""Making releases: what goes into one, who is in it, built, withdrawn from and recorded."""
