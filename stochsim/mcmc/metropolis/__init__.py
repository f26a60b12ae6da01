"""Proposals that are accepted or refused."""
