"""General-purpose compressors: libraries and standards that take any bytes."""
