from tests.knowledge.test_collection import *
from tests.knowledge.test_collection import _CHILD
import random
def test_dbg(settings, folder, open_again):
    chance = random.Random(0)
    for turn in range(25):
        for number in range(6):
            (folder / f"{number}.txt").write_text((OLD, NEW)[turn % 2] * (number + 1) + str(number))
        kill_after(lambda: chance.uniform(0, 0.6), settings, folder)
        later = open_again()
        g=[(x.document_id,list(x.chunk_ids)) for x in (later._catalog.garbage(1))]
        p=later._catalog._rows("select id,state from documents")
        later.recover()
        collection = later.collection(create=True)
        v,k = indexed(collection); r=ready_ids(collection)
        print(turn, "garbage before", g, [tuple(x) for x in p], "v-r", sorted(v-r), "r-v", sorted(r-v), "k-r", sorted(k-r), "r-k", sorted(r-k))
        assert (v,k)==(r,r)
        later.close()
