"""What a gVCF says of the evidence behind a variant record, and its sums over the carriers of a row."""
