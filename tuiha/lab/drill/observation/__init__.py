"""What is seen of a pool during a drill, from outside, and what the checker makes of it."""
