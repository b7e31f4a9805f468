"""What is wrong for a while, and who is told of it. An alarm never decides about payments: it only tells."""
