# Count a view, give a score, see what is popular (2.10.0).
import os

import freechat_sdk

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    stats = freechat_sdk.InteractiveStatisticsApi(api_client)
    uid = "75629cd542784e12b9a19b50620c94c3"
    print("views", stats.increase_statistic("character", uid, "view_count"))
    print("score", stats.add_statistic("character", uid, "score", 8), stats.get_score("character", uid))
    all_of_it = stats.get_statistics("character", uid)
    print(all_of_it.view_count, all_of_it.score_count, all_of_it.score, all_of_it.refer_type)
    print(stats.get_statistic(info_type="character", info_id=uid, stats_type="view_count"))
    for tag in stats.list_hot_tags("character", 5):
        print(tag.content, tag.count)
    print([tag.to_dict() for tag in stats.list_hot_tags("character", 5, text="fr")])
    tags = freechat_sdk.TagManagerForBizAdminApi(api_client)
    print(tags.create_tag("character", uid, "official"), tags.delete_tag("character", uid, "official"))
