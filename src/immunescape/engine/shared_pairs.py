"""Pairs of operands that several sums or several products share, found greedily and computed once."""

from __future__ import annotations

import heapq
from collections.abc import Callable

__all__ = ["share_pairs"]

# Operands of one sum or product beyond which shared pairs are not searched: pairs grow with the square of the length.
_LONGEST_SHARED = 60


def share_pairs(lists: dict[int, list[tuple[int, int]]], join: Callable[[int, int, int], int]) -> None:
    """Compute common pairs of operands once, in place: always the pair that most lists hold.

    Parameters
    ----------
    lists
        Node -> its operands with their signs; changed in place.
    join
        Makes the node of a pair from both operands and whether their signs differ (1 or 0).

    Most pairs occur in one list only and never in another; a set of lists is kept for the others alone. Lists that have
    lost a pair are struck off when its turn comes, for there are many more pairs than turns.
    """
    # A pair is one integer: the smaller operand, 32 bits of the larger one, and whether their signs differ. It is
    # hashed and compared faster than a tuple, and the largest models have millions of pairs.
    alone: dict[int, int] = {}  # pair -> the one list that holds it
    where: dict[int, set[int]] = {}  # pair -> the lists that may hold it
    signs: dict[int, dict[int, int]] = {}  # list -> operand -> sign

    for key, terms in lists.items():
        if len(terms) > _LONGEST_SHARED:
            continue
        signs[key] = dict(terms)
        for i, (a, s) in enumerate(terms):
            for b, r in terms[i + 1 :]:
                new = (a << 33 | b << 1 | (s != r)) if a <= b else (b << 33 | a << 1 | (s != r))
                if new in where:
                    where[new].add(key)
                elif alone.setdefault(new, key) != key:
                    where[new] = {alone[new], key}
    # Counts in the heap go out of date, as lists lose operands and gain joint ones. The top is therefore checked when
    # it is popped, and pushed again with its true count (lazy deletion, as is usual in Dijkstra's algorithm).
    heap = [(-len(keys), shared) for shared, keys in where.items()]
    heapq.heapify(heap)

    def holding(shared: int) -> list[int]:
        """Lists that still hold a pair, in order."""
        a, b, differ = shared >> 33, shared >> 1 & 0xFFFFFFFF, shared & 1
        holders = []
        for key in where[shared]:
            sign = signs[key]
            if a in sign and b in sign and (a != b or lists[key].count((a, sign[a])) > 1):
                if (sign[a] != sign[b]) == differ:
                    holders.append(key)
        holders.sort()
        return holders

    while heap:
        count, shared = heapq.heappop(heap)
        keys = holding(shared)
        if len(keys) < 2 or -count != len(keys):
            where[shared] = set(keys)
            if len(keys) > 1:
                heapq.heappush(heap, (-len(keys), shared))
            continue
        # Sharing saves one operation in every list but one. Taking the most frequent pair first is not optimal, but the
        # optimum is NP-hard to find (ensemble computation).
        a, b = shared >> 33, shared >> 1 & 0xFFFFFFFF
        joint = join(a, b, shared & 1)
        for key in keys:
            terms, sign = lists[key], signs[key]
            s = sign[a]
            terms.remove((a, s))
            terms.remove((b, sign[b]))
            if len(sign) == len(terms) + 2:
                del sign[a], sign[b]
            else:  # an operand that occurs more than once
                left = {other for other, _ in terms}
                for operand in {a, b} - left:
                    del sign[operand]
            # The joint operand makes new pairs with all that is left of its list.
            for other, r in terms:
                low, high = (other, joint) if other <= joint else (joint, other)
                new = low << 33 | high << 1 | (s != r)
                members = where.get(new)
                if members is not None:
                    members.add(key)
                elif alone.setdefault(new, key) != key:
                    where[new] = {alone[new], key}
                    heapq.heappush(heap, (-2, new))
            terms.append((joint, s))
            sign[joint] = s
        where[shared] = set(keys)
        heapq.heappush(heap, (-len(keys), shared))
