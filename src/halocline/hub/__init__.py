"""The cloud program: who may join, what devices are told, what people may do."""
