"""Rules by which objects move to other storage classes and expire, and what carries them out."""
