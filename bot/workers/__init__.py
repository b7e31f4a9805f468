"""The tasks that do in the world what the database says is to be done, and bring back what came of it."""
