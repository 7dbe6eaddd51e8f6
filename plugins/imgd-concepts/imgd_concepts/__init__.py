"""What a photo shows: labels, objects, and a vector in a space that words can be compared with."""
