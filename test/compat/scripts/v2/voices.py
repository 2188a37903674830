# Listen to the voices that there are, as files (2.10.0).
import os
import shutil

import freechat_sdk

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    tts = freechat_sdk.TTSServiceApi(api_client)
    speakers = tts.list_tts_builtin_speakers()
    print(len(speakers), speakers[:2])
    for speaker in speakers[:2]:
        response = tts.play_sample_without_preload_content("idx", speaker)
        with open(speaker + ".mp3", "wb") as file:
            shutil.copyfileobj(response, file)
        response.release_conn()
        print(response.status, response.headers["Content-Type"], os.path.getsize(speaker + ".mp3"))
    print(sorted(os.listdir(".")))
