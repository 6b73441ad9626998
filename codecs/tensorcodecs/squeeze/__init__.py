"""squeeze, this project's own codec of tensors: a family of one."""
