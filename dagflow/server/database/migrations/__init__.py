"""The migrations of the schema, numbered."""
