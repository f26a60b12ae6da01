"""What `stochsim validate` measures, and how: a plan of tasks, their rows, and a module for each family."""
