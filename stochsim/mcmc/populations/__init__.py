"""Samplers of many replicas or particles together."""
