"""The text in photos: its lines with their boxes, read by the PP-OCR models."""
