"""Quality control: samples, variants, arrays, their gates and the report."""
