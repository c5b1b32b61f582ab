"""What may be published of people in aggregates: small counts, what they give away, and who can be found in them."""
