"""What is kept and how it is found: one module for each noun, records in, records out."""
