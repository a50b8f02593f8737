"""How good a motion is: published metrics, each variant by name, with the level that chance reaches."""
