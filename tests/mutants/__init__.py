"""How strong the tests are: the code is broken in thousands of small ways, and a test must see each of them."""
