"""What clips show: from `target_url`s to files, from files to pictures, and what is seen of each clip."""
