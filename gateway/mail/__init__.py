"""Mail that goes out, and what is heard of it afterwards."""
