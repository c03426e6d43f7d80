"""What is not about parameter servers: data, models, figures, Ray's start."""
