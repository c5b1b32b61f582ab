"""How well scores foretell traits: metrics with intervals, by group and genetic distance; agreement of scores."""
