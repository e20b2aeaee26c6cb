"""What commands return, as values, as a JSON document and as text for people."""
