/** What the pack writes on the page, in the page's language; English is the key. */

import { app } from "../../scripts/app.js";

/** By language: each text, its values as {0}, {1}, ... */
export const WORDS = {
  ko: {
    "{0} · commercial use allowed": "{0} · 상업적 이용 가능",
    "{0} · no commercial use": "{0} · 상업적 이용 불가",
    "licence unknown": "라이선스 알 수 없음",
    "missing: {0}": "없음: {0}",
    "a file": "파일",
    Fetch: "받기",
    "Fetch {0} MB": "{0} MB 받기",
    "Fetching: {0} %": "받는 중: {0} %",
    "There is no file for this node. Choose a download, or put your own into {0}":
      "이 노드에 쓸 파일이 없습니다. 다운로드를 고르거나 가지고 있는 파일을 {0}에 넣으세요",
    "{0} is not on disk. Fetch it, or put it into {1} and reload the page.":
      "{0} 파일이 디스크에 없습니다. 받거나, {1}에 넣고 페이지를 새로 고치세요.",
    "{0} is not on disk. Put it into {1} and reload the page.":
      "{0} 파일이 디스크에 없습니다. {1}에 넣고 페이지를 새로 고치세요.",
    "It is published at {0}": "배포처: {0}",
    "The server gave no answer: {0}": "서버가 응답하지 않았습니다: {0}",
    "Click: on or off. Shift-click: only this face.":
      "클릭: 켜기/끄기. Shift+클릭: 이 얼굴만.",
    "One face must stay.": "얼굴이 하나는 남아야 합니다.",
    "Keeps {0} of {1} faces.": "얼굴 {1}개 중 {0}개를 남깁니다.",
    "Keeps {0} of {1} faces of frame {2}.": "프레임 {2}의 얼굴 {1}개 중 {0}개를 남깁니다.",
    "Drag to compare: before on the left, after on the right.":
      "끌어서 비교하세요. 왼쪽이 이전, 오른쪽이 이후입니다.",
  },
  zh: {
    "{0} · commercial use allowed": "{0} · 可商用",
    "{0} · no commercial use": "{0} · 不可商用",
    "licence unknown": "许可证未知",
    "missing: {0}": "缺少：{0}",
    "a file": "文件",
    Fetch: "下载",
    "Fetch {0} MB": "下载 {0} MB",
    "Fetching: {0} %": "正在下载：{0} %",
    "There is no file for this node. Choose a download, or put your own into {0}":
      "此节点没有可用的文件。请选择一个下载项，或将自己的文件放入 {0}",
    "{0} is not on disk. Fetch it, or put it into {1} and reload the page.":
      "磁盘上没有 {0}。请下载，或将其放入 {1} 后刷新页面。",
    "{0} is not on disk. Put it into {1} and reload the page.":
      "磁盘上没有 {0}。请将其放入 {1} 后刷新页面。",
    "It is published at {0}": "发布页面：{0}",
    "The server gave no answer: {0}": "服务器没有响应：{0}",
    "Click: on or off. Shift-click: only this face.": "点击：选中或取消。Shift+点击：仅此人脸。",
    "One face must stay.": "至少要保留一张人脸。",
    "Keeps {0} of {1} faces.": "保留 {1} 张人脸中的 {0} 张。",
    "Keeps {0} of {1} faces of frame {2}.": "保留第 {2} 帧 {1} 张人脸中的 {0} 张。",
    "Drag to compare: before on the left, after on the right.": "拖动以比较：左侧为之前，右侧为之后。",
  },
  ja: {
    "{0} · commercial use allowed": "{0} · 商用可",
    "{0} · no commercial use": "{0} · 商用不可",
    "licence unknown": "ライセンス不明",
    "missing: {0}": "未取得: {0}",
    "a file": "ファイル",
    Fetch: "取得",
    "Fetch {0} MB": "取得 ({0} MB)",
    "Fetching: {0} %": "取得中: {0} %",
    "There is no file for this node. Choose a download, or put your own into {0}":
      "このノード用のファイルがありません。ダウンロードを選ぶか、お持ちのファイルを {0} に置いてください",
    "{0} is not on disk. Fetch it, or put it into {1} and reload the page.":
      "{0} がディスクにありません。取得するか、{1} に置いてページを再読み込みしてください。",
    "{0} is not on disk. Put it into {1} and reload the page.":
      "{0} がディスクにありません。{1} に置いてページを再読み込みしてください。",
    "It is published at {0}": "公開元: {0}",
    "The server gave no answer: {0}": "サーバーから応答がありません: {0}",
    "Click: on or off. Shift-click: only this face.":
      "クリック: オン/オフ。Shift+クリック: この顔だけ。",
    "One face must stay.": "顔は最低 1 つ必要です。",
    "Keeps {0} of {1} faces.": "{1} 個の顔のうち {0} 個を残します。",
    "Keeps {0} of {1} faces of frame {2}.": "フレーム {2} の {1} 個の顔のうち {0} 個を残します。",
    "Drag to compare: before on the left, after on the right.":
      "ドラッグで比較: 左が前、右が後です。",
  },
};

/**
 * Say a text in the page's language.
 * @param {string} text in English
 * @param {...unknown} values for {0}, {1}, ...
 * @returns {string}
 */
export function say(text, ...values) {
  const language = app.extensionManager?.setting?.get("Comfy.Locale");
  const said = WORDS[language]?.[text] ?? text;
  return said.replace(/\{(\d)\}/g, (_, place) => String(values[Number(place)]));
}
