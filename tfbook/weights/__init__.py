"""The book's own trained models, and the code that stores and reads them."""
