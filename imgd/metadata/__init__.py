"""What is written about a photo: EXIF, XMP, IPTC, sidecars, and the place its coordinates name.

Pure functions on bytes; nothing here opens a photo. `merge.read_photo` is the way in.
"""
