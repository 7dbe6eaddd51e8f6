"""Where faces are in photos, how well each can be recognised, and vectors that tell people apart."""
